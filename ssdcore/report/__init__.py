"""The report page: charts, gallery and template."""
