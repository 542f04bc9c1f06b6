"""The sections of a report, one function each."""

import math
from collections.abc import Iterable, Sequence

import numpy as np

from serkit.data.corpora import corpus_of
from serkit.lab.measure.calibration import ERROR_RATE
from serkit.lab.measure.calibration_transfer import Transfer
from serkit.lab.measure.run_folder import Row, epochs_of, is_epoch_chosen
from serkit.lab.pages.drawing import NOTHING, Maker
from serkit.lab.pages.markup import Html, Tone, bar, figure, join, note, table, tag
from serkit.lab.pages.shared_text import count_of, number, percent, uar_of
from serkit.lab.report.audio_players import MAX_SECONDS, EmbeddedAudio
from serkit.lab.report.breakdown import (
    ClassScore,
    GroupScore,
    brier_of,
    confident_errors,
    drawn_answers,
    error_curve,
    mean_confusion,
    most_frequent_confusion,
    per_class,
    per_group,
)
from serkit.lab.report.figures import FEW, drawn_measures
from serkit.lab.report.protocol_section import NOT_RECORDED
from serkit.lab.report.run_contents import History, RunContents

ERRORS = 10  # errors shown
DRAWN = 20  # random predictions shown
_PUBLIC_DOMAIN = "CC0-1.0"
_LONG = 30  # a table with more rows is collapsed
_CURVES = {"loss": "Loss", "accuracy": "Accuracy", "uar": "UAR"}


def accuracies(run: RunContents) -> Html:
    """Return the table of training, validation and test accuracy."""
    n, histories = run.numbers, run.histories
    at = f"mean of {len(histories)} fits at the kept epoch" if len(histories) > 1 else "at the kept epoch"
    train, validation = (_at_kept(histories, f"{side}_accuracy") for side in ("train", "validation"))
    seen = number(n["validation_uar"]) or NOTHING
    of_train = "" if math.isnan(train) else f"{at}; measured on the augmented batches of that epoch"
    chosen = ", which was chosen by validation" if is_epoch_chosen(run.fits) else ""
    of_validation = f"{at}{chosen}"
    if n["is_validation_pooled"]:
        validation = _accuracy_of(run.validated)
        pooled = "pooled over folds" if len(run.divisions) > 1 else ""
        kept = f"at the kept epoch{chosen}" if any(epochs > 1 for _, epochs in epochs_of(run.fits)) else ""
        of_validation = ", ".join(filter(None, (pooled, kept)))
    elif math.isnan(validation):
        of_validation = "" if seen == NOTHING else "mean of the fits"
    rows = [
        ("training", _or_not(train), NOTHING, of_train),
        ("validation", _or_not(validation), seen, of_validation),
        ("test", f"{n['wa']:.1f}", f"{n['uar']:.1f}", "pooled over folds"),
    ]
    cells = [(*row[:3], tag("span", row[3], class_="note")) for row in rows]
    return table(("", "accuracy, %", "UAR, %", "measured"), cells, texts=(0, 3))


def class_scores(run: RunContents) -> Html:
    """Return the table of precision, recall, F1 and support of each class."""
    scores, macro, weighted = per_class(run.answers)
    rows = [_class_row(score) for score in (*scores, macro, weighted)]
    accuracy = ("accuracy", "", "", f"{run.numbers['wa']:.1f}", str(macro.support))
    rows.insert(len(scores), accuracy)
    looks = ["" for _ in scores] + ["total", "", ""]
    head = ("class", "precision, %", "recall, %", "F1, %", "support")
    averages = "Macro average: mean over the classes in the reference. Weighted average: weighted by support."
    return join(table(head, rows, classes=looks), note(averages))


def words(run: RunContents) -> Html:
    """Return the best and worst class and the most frequent confusion in words."""
    scores, _, _ = per_class(run.answers)
    best, worst = max(scores, key=lambda s: s.recall), min(scores, key=lambda s: s.recall)
    text = f"The best recognized class is {best.name} (recall {percent(best.recall)} %)"
    if worst is not best:
        text += f", the worst {worst.name} ({percent(worst.recall)} %)"
    matrix = mean_confusion(run.answers)
    confusion = most_frequent_confusion(matrix, run.answers.classes)
    if not confusion:
        return join(f"{text}. There are no confusions.")
    true, predicted, count = confusion
    support = matrix[run.answers.classes.index(true)].sum()
    return join(
        f"{text}. The most frequent confusion: {count:g} of {support:g} clips of {true} are predicted as {predicted} "
        f"({100 * count / support:.0f} %)."
        if len(run.answers.seeds) == 1
        else f"{text}. The most frequent confusion: {100 * count / support:.0f} % of the clips of {true} are predicted "
        f"as {predicted}."
    )


def speakers_and_folds(run: RunContents, strips: Maker) -> Html:
    """Return the scores of each fold and each speaker."""
    n, speakers, folds = run.numbers, per_group(run.answers, "speaker"), per_group(run.answers, "fold")
    caption = (
        f"Each dot is a speaker{' or a fold' if len(folds) > 1 else ''}. The line is the pooled UAR, the band its 95 % "
        "interval. A speaker's UAR is averaged over the speaker's own classes."
    )
    drawn = figure(strips, "speakers", caption, "UAR of each speaker and fold")
    spread = "" if len(folds) < 2 else (
        f"UAR of the folds: mean {n['uar_fold_mean']:.1f}, standard deviation {n['uar_fold_deviation']:.1f}. "
    )  # fmt: skip
    lowest = min(speakers, key=lambda group: group.uar)
    highest = max(speakers, key=lambda group: group.uar)
    text = f"{spread}Lowest UAR of a speaker: {lowest.name} ({percent(lowest.uar)}); highest: {highest.name} "
    text += f"({percent(highest.uar)})."
    return join(
        tag("div", drawn, tag("p", text), class_="pair"),
        tag("h3", "Folds"),
        _fold_table(run, folds),
        tag("h3", "Speakers"),
        _collapsed(_speaker_table(speakers), len(speakers), "speakers"),
    )


def curves(run: RunContents, figures: dict[str, Maker]) -> Html:
    """Return the training and validation curves."""
    drawn = drawn_measures(run.histories)
    if not run.histories:
        return tag("p", "Not recorded: the run folder holds no training histories.")
    if not drawn:
        return tag("p", "No curves: the model was fitted in a single step, so each fit has one epoch.")
    single = sum(history.epochs == 1 for history in run.histories)
    about = (
        f"Each thin line is one of {len(run.histories) - single} fits. The thick line is their mean, up to the epoch "
        "that half of them reached. A dot marks the epoch whose weights were kept. Training metrics are measured on "
        "augmented batches while the weights change, and the training loss may be smoothed or weighted, so training "
        "and validation loss are not directly comparable."
    )
    if single:
        about += f" {single} fits have a single epoch and no line."
    missing = [name for name in ("accuracy",) if name not in drawn]
    if missing:
        about += " Accuracy by epoch was not recorded."
    parts = [
        figure(figures[f"curves_{name}"], f"curves_{name}", f"{_CURVES[name]} by epoch.", f"{_CURVES[name]} by epoch")
        for name in drawn
    ]
    return join(note(about), tag("div", *parts, class_="pair"))


def calibration(run: RunContents, figures: dict[str, Maker]) -> Html:
    """Return how reliable the probabilities are, and how a threshold and prediction sets from validation do on test."""
    answers, n = run.answers, run.numbers
    brier, found = brier_of(answers), run.transfer
    confidence = float(answers.probabilities.max(2).mean())
    gap = 100 * confidence - n["wa"]
    tendency = "well calibrated on average" if abs(gap) < 1 else "overconfident" if gap > 0 else "underconfident"
    text = (
        f"Mean confidence is {percent(confidence)} % and accuracy {n['wa']:.1f} %: the model is {tendency}. Expected "
        f"calibration error is {n['ece']:.1f} % (15 bins). The Brier score, the squared error summed over classes, is "
        f"{brier:.3f}; it is 0 at best, 2 at worst and {1 - 1 / len(n['recall']):.3f} for uniform probabilities."
    )
    if found.before is not None and run.before_temperature is not None:
        text += (
            f" Before temperature scaling, which each fit learned on its validation speakers: calibration error "
            f"{percent(found.before.ece)} %, Brier score {found.before.brier:.3f}."
        )
    caption = (
        "A bar that ends below the dashed line means overconfidence, above it underconfidence. A pale bar has fewer "
        f"than {FEW} predictions. Below: the share of predictions at each confidence."
    )
    diagram = figure(figures["reliability"], "reliability", caption, "Reliability diagram")
    about = "Share of errors if only the most confident predictions are answered, from a few (left) to all (right)."
    curve = figure(figures["risk_coverage"], "risk_coverage", about, "Risk-coverage curve")
    area = (
        f"Mean share of errors along the curve (AURC): {percent(error_curve(answers).area)} %; without any use of "
        f"confidence it would be {100 - n['wa']:.1f} %."
    )
    return join(tag("p", text), tag("div", diagram, curve, class_="pair"), tag("p", f"{area} {_transfer_text(found)}"))


def _transfer_text(found: Transfer) -> str:
    """Return in words how the threshold and the prediction sets from validation do on test."""
    if found.selection is None:
        return "The run did not store its validation predictions, so there is no threshold to test."
    goal = f"{100 * ERROR_RATE:.0f} %"
    text = f"Each fold's validation predictions give a confidence threshold for at most {goal} error. "
    selection = found.selection
    if selection.coverage:
        text += f"{percent(selection.coverage)} % of the test predictions reach it, "
        text += f"and {percent(selection.error)} % of these are wrong. "
    else:
        text += "No such threshold exists, or no test prediction reaches it. "
    sets = "; ".join(
        f"{100 * asked:.0f} % prediction sets hold the true class in {percent(one.coverage)} % of cases, with "
        f"{one.size:.1f} classes on average"
        for asked, one in found.sets.items()
    )
    return f"{text}{sets} (docs/CALIBRATION.md)."


def errors(run: RunContents, audio: EmbeddedAudio | None) -> Html:
    """Return the most confident errors, with a player beside each whose audio is embedded."""
    rows = confident_errors(run.answers, ERRORS)
    if not rows:
        return tag("p", "None: every prediction is correct.")
    head = ["utterance", "true", "predicted", "confidence, %", "probability of the true class, %", "speaker"]
    is_with_seed = len(run.answers.seeds) > 1
    cells = [_error_row(run, row, audio)[: len(head) + is_with_seed] for row in rows]
    content = table([*head, *(["seed"] if is_with_seed else [])], cells, texts=(0, 1, 2, 5))
    if audio is None:
        command = tag("code", "serkit report RUN --audio --data DIR")
        return join(content, tag("p", "To add audio players: ", command, ".", class_="note"))
    about = f"Each player has the first {MAX_SECONDS} s, at 16 kHz."
    if audio.missing:
        about += f" {count_of(audio.missing, 'recording')} could not be found or decoded."
    return join(content, note(about))


def license_remarks(audio: EmbeddedAudio) -> list[tuple[Tone, object]]:
    """Return the license of the embedded audio of each corpus."""
    return [
        ("plain", f"Contains audio of {title}, license {terms}.")
        if terms == _PUBLIC_DOMAIN
        else ("bad", f"Contains audio of {title}, license {terms}: do not redistribute.")
        for title, terms in audio.licenses
    ]


def drawn(run: RunContents) -> Html:
    """Return a table of true and predicted classes of random utterances."""
    rows = drawn_answers(run.answers, DRAWN)
    cells = [
        (row.utterance, row.true, row.predicted, f"{100 * max(row.probabilities):.0f}",
         "correct" if row.true == row.predicted else "wrong")
        for row in rows
    ]  # fmt: skip
    looks = ["" if row.true == row.predicted else "wrong" for row in rows]
    right = sum(not look for look in looks)
    caption = f"{len(rows)} utterances drawn by a fixed seed, as predicted by seed {run.answers.seeds[0]}: "
    head = ("utterance", "true", "predicted", "confidence, %", "")
    return table(head, cells, caption=f"{caption}{right} correct.", texts=(0, 1, 2, 4), classes=looks)


def per_corpus(run: RunContents) -> Html:
    """Return the scores of each corpus."""
    rows = [
        (corpus_of(name).title, score["speakers"], score["utterances"],
         uar_of(score), number(score["wa"]), number(score["macro_f1"]))
        for name, score in run.numbers["per_corpus"].items()
    ]  # fmt: skip
    return table(("corpus", "speakers", "clips", "UAR [95 %]", "WA", "macro-F1"), rows)


def _class_row(score: ClassScore) -> tuple[object, ...]:
    is_average = score.name.endswith(" average")
    recall = percent(score.recall) if is_average else bar(score.recall)
    return score.name, percent(score.precision), recall, percent(score.f1), str(score.support)


def _fold_table(run: RunContents, folds: Sequence[GroupScore]) -> Html:
    divisions = {division.fold: division for division in reversed(run.divisions)}  # the first of several draws
    rows = []
    for group in folds:
        number = int(group.name)
        own = [history for history in run.histories if history.fold == number]
        fits = [fit for fit in run.fits if fit.fold == number]
        division = divisions.get(number)
        seen = [fit.validation_uar for fit in fits if fit.validation_uar is not None]
        rows.append(
            (
                number,
                " / ".join(map(str, division.speakers)) if division else NOT_RECORDED,
                " / ".join(str(count or NOTHING) for count in division.utterances) if division else NOT_RECORDED,
                _or_dash(_at_kept(own, "train_accuracy")),
                _or_dash(_at_kept(own, "validation_accuracy")),
                f"{np.mean(seen):.1f}" if seen else NOTHING,
                percent(group.accuracy),
                percent(group.uar),
            )
        )
    head = (
        "fold", "speakers", "clips", "training accuracy", "validation accuracy", "validation UAR", "test accuracy",
        "test UAR",
    )  # fmt: skip
    caption = "Speakers and clips: training / validation / test. Numbers in percent."
    return _collapsed(table(head, rows, caption=caption), len(rows), "folds")


def _speaker_table(speakers: Iterable[GroupScore]) -> Html:
    rows = [(group.name, group.clips, percent(group.accuracy), bar(group.uar), _confused(group)) for group in speakers]
    return table(("speaker", "clips", "accuracy, %", "UAR, %", "most frequent confusion"), rows, texts=(0, 4))


def _confused(group: GroupScore) -> Html:
    if group.confusion is None:
        return Html(NOTHING)
    true, predicted, count = group.confusion
    return join(f"{true} as {predicted} ({count:.3g} {'clip' if count == 1 else 'clips'})")


def _error_row(run: RunContents, row: Row, audio: EmbeddedAudio | None) -> list[object]:
    given = row.probabilities[run.answers.classes.index(row.true)]
    name: object = row.utterance
    if audio and (source := audio.sources.get(row.utterance)):
        name = join(name, tag("audio", controls="", preload="none", src=source, aria_label=row.utterance))
    return [name, row.true, row.predicted, percent(max(row.probabilities)), percent(given), row.speaker, row.seed]


def _collapsed(content: Html, rows: int, what: str) -> Html:
    """Collapse a long table."""
    return tag("details", tag("summary", f"all {rows} {what}"), content) if rows > _LONG else content


def _at_kept(histories: Sequence[History], column: str) -> float:
    """Return the mean over fits of a column at the kept epochs; NaN if a fit did not record it."""
    values = [history.at_kept(column) for history in histories]
    return float(np.mean(values)) if values else math.nan


def _accuracy_of(rows: Sequence[Row]) -> float:
    """Return accuracy, averaged over seeds."""
    by_seed: dict[int, list[bool]] = {}
    for row in rows:
        by_seed.setdefault(row.seed, []).append(row.true == row.predicted)
    return float(np.mean([np.mean(right) for right in by_seed.values()]))


def _or_not(share: float) -> str:
    return NOT_RECORDED if math.isnan(share) else percent(share)


def _or_dash(share: float) -> str:
    return NOTHING if math.isnan(share) else percent(share)
