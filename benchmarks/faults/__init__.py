"""Bad and hostile input by the thousand: each case ends in a right answer or a message."""
