"""In which language texts are, guessed by their script and their commonest words."""

import re
import unicodedata
from collections import Counter

_WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)?")
_ENOUGH_WORDS = 50
_FEW_ENGLISH = 0.1
"""Share of common words below which no English conversation is."""
_CLEARLY = 1.5
_DIFFERENT = 4
"""Common words of a language that no other language has by chance."""
_AT_MOST = 2000
"""Texts that are looked at."""
_CHARACTERS = 2000
"""Of each text."""
_ENGLISH = "English"
_COMMON = {
    _ENGLISH: "a all and are at be but can do don't for have he how i i'm in is it "
    "it's just know me my no not of on she so that the there they this to was we what "
    "with you your",
    "German": "aber auch auf das den der du ein es habe ich ist ja kann mir mit nicht "
    "noch sie und wenn wie wir zu",
    "French": "avec ce c'est dans de des est et il je j'ai la le les mais nous oui pas "
    "pour que qui tu un une vous",
    "Spanish": "con de el en es eso está la lo los mi muy para pero por que qué se "
    "sí te un una yo",
    "Italian": "che con cosa di è ha ho il la le lo ma mi non questo si sono un una",
    "Portuguese": "bem com de do e é ele está eu isso mas me muito não o para por que "
    "se sim um uma você",
    "Dutch": "dat de een en er heb het ik je maar met niet op te van voor wat we ze "
    "zijn",
    "Polish": "ale co do ja jak jest mam na nie się tak to w z że",
    "Turkish": "ama ben bir bu çok da de evet için mi ne o sen var ve",
    "Indonesian": "ada aku apa dan dengan di ini itu kamu saya tidak untuk yang",
    "Hindi in Latin letters": "aur bhi hai hain ho hum ka kar ki ko kya mein nahi "
    "nahin toh tum",
}
_COMMON_SETS = {name: frozenset(words.split()) for name, words in _COMMON.items()}


def guess_language(texts):
    """Guess the language of most texts; None if it is English, or nothing tells."""
    counts = Counter()
    for text in _some([*dict.fromkeys(texts)]):
        counts.update(_WORD.findall(text[:_CHARACTERS].lower().replace("’", "'")))
    n_words = counts.total()
    if n_words < _ENOUGH_WORDS:
        return None
    shares = {
        name: sum(counts[word] for word in common) / n_words
        for name, common in _COMMON_SETS.items()
    }
    english = shares.pop(_ENGLISH)
    best = max(shares, key=shares.get)
    n_different = len(_COMMON_SETS[best].intersection(counts))
    clear = shares[best] > max(_FEW_ENGLISH, _CLEARLY * english)
    if clear and n_different >= _DIFFERENT:
        return best
    return "another language than English" if english < _FEW_ENGLISH else None


def foreign_scripts(texts):
    """Count texts by their script where most letters are none of the Latin script."""
    scripts = (_script_of(text[:_CHARACTERS]) for text in texts)
    return Counter(script for script in scripts if script not in (None, "Latin"))


def _some(texts):
    step = max(1, len(texts) // _AT_MOST)
    return texts[::step]


def _script_of(text):
    if text.isascii():
        return None
    letters = (_script(letter) for letter in text if letter.isalpha())
    return next((name for name, _ in Counter(letters).most_common(1)), None)


def _script(letter):
    name = unicodedata.name(letter, "").partition(" ")[0]
    return {"CJK": "Chinese", "FULLWIDTH": "Latin"}.get(name, name.capitalize())
