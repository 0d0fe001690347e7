"""Reports: a study told in one HTML file, a picture and tables."""

from stom_ray.reports.data import Costs, Identity, Overfitting, ReportData, Scored, Scripts, Searched, Window
from stom_ray.reports.html import render_html
from stom_ray.reports.write import ReportPaths, write_report

__all__ = [
    "Costs",
    "Identity",
    "Overfitting",
    "ReportData",
    "ReportPaths",
    "Scored",
    "Scripts",
    "Searched",
    "Window",
    "render_html",
    "write_report",
]
