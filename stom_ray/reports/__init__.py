"""Reports: a study told in one HTML file, a picture and tables."""

from stom_ray.reports.data import Capital, Compared, Costs, Identity, Purge, ReportData, Scored, Scripts, Searched, Window
from stom_ray.reports.html import render_html
from stom_ray.reports.write import ReportPaths, write_report

__all__ = [
    "Capital",
    "Compared",
    "Costs",
    "Identity",
    "Purge",
    "ReportData",
    "ReportPaths",
    "Scored",
    "Scripts",
    "Searched",
    "Window",
    "render_html",
    "write_report",
]
