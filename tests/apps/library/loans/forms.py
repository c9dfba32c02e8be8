"""Forms of the library's pages."""

from django import forms

from loans.models import Loan, Member


class MemberForm(forms.ModelForm):
    class Meta:
        model = Member
        fields = ["name", "email"]


class LoanForm(forms.ModelForm):
    class Meta:
        model = Loan
        fields = ["member", "due"]
