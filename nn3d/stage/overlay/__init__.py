"""The flat part of the picture: title, key, strands line, cards, class bars, groups and what is selected."""
