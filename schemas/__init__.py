"""What crosses storage between the stages: Arrow schemas and JSON records, with their versions."""
