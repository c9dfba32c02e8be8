"""Pages of the museum."""

from django import forms
from django.http import HttpResponseRedirect
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_http_methods

from gallery.models import Visit, Work


class VisitForm(forms.ModelForm):
    class Meta:
        model = Visit
        fields = ["email", "work", "day"]


@require_GET
def show_works(request):
    works = Work.objects.select_related("artist").order_by("artist__born", "title", "code")
    return render(request, "gallery/works.html", {"works": works})


@require_GET
def show_work(request, key):
    return render(request, "gallery/work.html", {"work": get_object_or_404(Work, pk=key)})


@require_http_methods(["GET", "POST"])
def visit(request):
    form = VisitForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        form.save()
        return HttpResponseRedirect(reverse("works"))
    return render(request, "gallery/visit.html", {"form": form})
