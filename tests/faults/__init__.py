"""Bad input by the thousand: each case ends in a right answer or in a message."""
