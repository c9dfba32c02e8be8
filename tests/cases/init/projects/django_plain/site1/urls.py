from django.http import HttpResponse
from django.urls import path, re_path


def index(request):
    return HttpResponse("hi")


def year(request, year):
    return HttpResponse(year)


urlpatterns = [path("", index), re_path(r"^(?P<year>[0-9]{4})/$", year)]
