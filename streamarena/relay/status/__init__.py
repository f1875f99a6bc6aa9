"""The page at `/_streamarena`: what passes now and lately, for whoever runs this process."""
