"""Run folders, metrics, intervals, significance tests and calibration. Nothing here imports torch.

run_folder             reads and writes the files of a run folder
seal                   digests of these files, by which edits are found
run_checks             whether the files agree with each other
run_records            reads and checks a run folder
publish                writes a run folder in the compact form of results/
run_entry              a run folder read as one row of a table
metrics                metrics of one confusion matrix
pooled_metrics         metrics of a run: folds pooled, seeds averaged
intervals              confidence intervals from a bootstrap over speakers
significance           paired comparison of two runs
calibration            thresholds and prediction sets from validation predictions
calibration_transfer   the same, measured on test predictions
voting                 combination of the probabilities of several models
"""
