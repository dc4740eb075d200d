"""Does the machine around the site fit it: its kernel, its files, DNS, other programs?"""
