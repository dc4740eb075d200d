"""What a request costs: an app under load, each way of serving it beside the others, and before and after a change."""
