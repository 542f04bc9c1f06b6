"""Protocols, the folds they make, and the checks that refuse leaks. Nothing here imports torch.

protocols         test parts: which speakers, corpora or utterances a recipe is tested on
validation        validation parts, held out of the training side
speaker_groups    groups of speakers with similar corpora, sexes and sizes
random_split      random divisions of utterances, which share speakers
published_folds   folds that others have published, as tables
folds             the resulting folds, and the content of folds.json
leakage           checks for shared speakers and identical recordings
"""
