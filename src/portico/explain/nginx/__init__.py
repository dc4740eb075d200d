"""nginx: its configurations, whoever wrote them."""
