"""The library behind the stages: geometry, data, network, detection, report and tracking."""
