"""
From what was said to what was felt
===================================

Most data begin as a transcript: who said what, in which order. This example takes one
through a sentence model to a classifier that reads whole conversations, and asks it
about a conversation that nobody has labelled. Both steps form one scikit-learn
pipeline, so texts go in and emotions come out.

The transcript is a small one, written for this page; where ``DATA`` names the folder of
MELD's official annotations, it is that of MELD. The sentence model comes from the
Hugging Face hub at the first run, or from a folder that ``MODEL`` names. It needs
``pip install 'skmerc[text]'``.
"""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from sklearn.base import clone
from sklearn.compose import ColumnTransformer
from sklearn.dummy import DummyClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from skmerc import JoyfulClassifier, TextEmbedder
from skmerc.datasets import load_meld, to_frame
from skmerc.frame import drop_keys, mark_validation
from skmerc.metrics import weighted_f1
from skmerc.model_selection import DialogueKFold

DATA = None  # such as "MELD/data/MELD", the folder of *_sent_emo.csv
MODEL = "sentence-transformers/all-MiniLM-L6-v2"
SEED = 0

# %%
# A transcript
# ------------
#
# One line is one turn, an empty line ends a conversation, and the emotion stands
# first. Seventy turns are enough to see how things fit together, and far too few for
# a model that anyone should rely on.

TRANSCRIPT = """
neutral | Ann: Did the letter from the university come?
neutral | Ben: It is on the table.
surprise | Ann: Wait, what? They took me!
joy | Ben: You did it! I am so proud of you!
joy | Ann: This is the best day of the whole year!

neutral | Cem: I left the car in front of the house.
anger | Dora: You parked on my flowers again!
neutral | Cem: I will move it after lunch.
anger | Dora: After lunch? I am sick of your excuses!
sadness | Cem: I am sorry. I ruin everything lately.

neutral | Eva: The vet called this morning.
neutral | Finn: What did she say about the dog?
sadness | Eva: He did not make it through the night.
sadness | Finn: Oh no. I will miss him so much.
sadness | Eva: The house feels empty without him.

neutral | Gus: The train leaves at nine.
surprise | Hana: At nine? But that is in five minutes!
anger | Gus: I told you three times, and you never listen!
anger | Hana: Do not shout at me!
neutral | Gus: Take the bag, I have the tickets.

neutral | Ida: Close your eyes and come in here.
surprise | Jon: Oh my god, where do all these people come from?
joy | Ida: Happy birthday, my dear!
joy | Jon: I love it, thank you all so much!
neutral | Ida: The cake is in the kitchen.

neutral | Kim: Please take a seat.
neutral | Lou: You wanted to talk about the budget.
sadness | Kim: We have to let you go. I am very sorry.
surprise | Lou: What? I had no idea that it was that bad!
sadness | Lou: I do not know how I will tell my children.

neutral | Ann: Who ate the sandwich in the fridge?
neutral | Ben: The one with your name on it?
anger | Ann: Yes, that one! How dare you!
joy | Ben: It was delicious, ha ha!
anger | Ann: That is not funny, you idiot!

neutral | Cem: The doctor will see you now.
neutral | Dora: Here are my papers.
surprise | Cem: Unbelievable! There are two heartbeats!
surprise | Dora: Twins? Are you serious?
joy | Dora: I am so happy that I could cry!

neutral | Eva: Grandmother used to sit in this chair.
sadness | Finn: I still cannot believe that she is gone.
sadness | Eva: I never said goodbye to her.
neutral | Finn: There is a box of her photographs.
joy | Eva: Look how she laughs in this one! How lovely!

neutral | Gus: I checked the account today.
surprise | Hana: Wow, where did all that money come from?
joy | Gus: We won! We really won the lottery!
joy | Hana: Fantastic! We are going to the sea!
neutral | Gus: The form has to be signed by Monday.

neutral | Ida: The meeting starts at ten in room four.
anger | Jon: Again? You stole my idea and presented it as yours!
anger | Ida: How dare you call me a thief!
anger | Jon: Get out of my office, now!
neutral | Ida: I will send you the minutes by mail.

neutral | Kim: She packed her things on Sunday.
surprise | Lou: No! She really left you? I can not believe it!
sadness | Kim: I feel so alone without her.
sadness | Lou: I am sorry. That must hurt a lot.
neutral | Kim: The keys are with the neighbour.

neutral | Ann: The second half begins in a minute.
joy | Ben: What a goal! Yes! We are winning!
anger | Ann: That referee is blind! This is an outrage!
surprise | Ben: Oh! Did you see that? Incredible!
joy | Ann: Hooray! I love this team!

neutral | Cem: The soup needs ten more minutes.
neutral | Dora: I will set the table.
surprise | Cem: Whoa, is that a real engagement ring?
joy | Dora: Yes! He asked me, and I am so excited!
joy | Cem: Congratulations! That is wonderful news!
"""

# %%
# As a table
# ----------
#
# :func:`skmerc.datasets.to_frame` makes the table: four keys, which say who speaks when
# in which dialogue and what the row is for, and a column of what was said.


def as_turns(lines):
    """Read lines '[emotion | ]speaker: text' as one dialogue."""
    for line in lines:
        before, _, said = line.rpartition(" | ")
        speaker, _, text = said.partition(":")
        turn = {"speaker": speaker.strip(), "text": text.strip()}
        yield turn | ({"label": before} if before else {})


if DATA:
    meld = load_meld(DATA)
    X, emotion, split = meld.data, meld.target, meld.split
    X = mark_validation(X, dialogues=X.loc[split == "dev", "dialogue__id"].unique())
    folds = [(np.flatnonzero(split != "test"), np.flatnonzero(split == "test"))]
else:
    scenes = TRANSCRIPT.strip().split("\n\n")
    X, emotion = to_frame([list(as_turns(scene.splitlines())) for scene in scenes])
    folds = list(DialogueKFold(7).split(X))
print(X.drop(columns="dialogue__role").head().to_string(index=False))
print(pd.Series(emotion).value_counts().to_string())

# %%
# Texts in, emotions out
# ----------------------
#
# The first step turns the column of text into the block ``text`` of features and lets
# the keys pass; the second reads both. The small transcript can spare no dialogue to
# tell when to stop, so there training goes on to its end. To have CBERL's three steps
# instead, put ``MultimodalGANSampler(sampling_strategy="mean")``, ``DJVAEFuser()`` and
# ``CBERLClassifier()`` behind the first, with ``make_pipeline`` of imbalanced-learn.

embedding = ColumnTransformer(
    [("text", TextEmbedder(MODEL), "utterance")], remainder="passthrough"
).set_output(transform="pandas")
patience = 20 if DATA else None
model = make_pipeline(embedding, JoyfulClassifier(patience=patience, random_state=SEED))

# %%
# Is it any good?
# ---------------
#
# On dialogues that it has not seen, beside the most frequent emotion and a logistic
# regression that hears one utterance at a time. The small transcript is divided in
# seven, each part is left out once, and each text is embedded once all the same: the
# embedder remembers it.

row_wise = make_pipeline(
    embedding,
    FunctionTransformer(drop_keys),
    LogisticRegression(C=10, max_iter=1000),
)
models = {
    "most frequent": DummyClassifier(),
    "logistic regression": row_wise,
    "JOYFUL": model,
}
true = np.concatenate([emotion[test] for _, test in folds])
print(f"\nweighted F1 on {len(true)} utterances of unseen dialogues")
for name, candidate in models.items():
    answers = [
        clone(candidate).fit(X.iloc[train], emotion[train]).predict(X.iloc[test])
        for train, test in folds
    ]
    print(f"{name:>20} {weighted_f1(true, np.concatenate(answers)):.3f}")

# %%
# A new conversation
# ------------------
#
# The final model learns from all dialogues. What was said becomes a table like the
# others, and the pipeline answers for each turn. Type what you like.

SAID = [
    "Mia: I have the results of the exam here.",
    "Noah: And? What do they say?",
    "Mia: I failed. Again. I worked so hard for it.",
    "Noah: I am so sorry, Mia.",
    "Mia: Wait, there is a second page. That is not my name!",
    "Noah: They gave you the wrong letter? How can they be so careless!",
    "Mia: Here is mine. I passed! I passed with an A!",
    "Noah: That is wonderful! Let us celebrate!",
]
conversation, _ = to_frame([list(as_turns(SAID))])
model.fit(X, emotion)
belief = pd.DataFrame(model.predict_proba(conversation), columns=model.classes_)
answer = conversation[["dialogue__speaker", "utterance"]]
print("\n" + answer.assign(emotion=model.predict(conversation)).to_string(index=False))

# %%
# What it believes, turn by turn
# ------------------------------

figure, axes = plt.subplots(
    figsize=(11, 1.2 + 0.45 * len(conversation)), layout="constrained"
)
left = np.zeros(len(belief))
for k, name in enumerate(belief):
    color = plt.colormaps["tab10"](k)
    axes.barh(belief.index, belief[name], 0.8, left, color=color, label=name)
    left += belief[name].to_numpy()
texts = answer["dialogue__speaker"] + ": " + answer["utterance"].str.slice(0, 70)
axes.set_yticks(belief.index, texts)
axes.set(xlabel="probability", xlim=(0, 1))
axes.invert_yaxis()
axes.legend(loc="lower center", bbox_to_anchor=(0.5, 1), ncols=7, frameon=False)
# sphinx_gallery_start_ignore
if plt.get_backend().lower() == "agg":  # there is no window to show it in
    figure.savefig("skmerc_raw_to_emotion.png", dpi=130)
else:
    plt.show()
# sphinx_gallery_end_ignore
