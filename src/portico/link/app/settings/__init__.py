"""The app's settings about the proxy in front of it; whoever knows the site judges them."""
