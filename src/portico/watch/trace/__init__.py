"""One real request, walked: sent by `client`, its traces brought together by `evidence`, told by `table`, `tracker`
and `moments`."""
