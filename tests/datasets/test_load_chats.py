"""Exports of Slack, WhatsApp and Telegram, and folders of ConvoKit."""

import json
import shutil
import warnings
import zipfile
from datetime import datetime, timedelta

import pandas as pd
import pytest

from skmerc.datasets import (
    load_convokit,
    load_slack,
    load_telegram,
    load_whatsapp,
    to_frame,
)


def spoken(found):
    X, y = found
    assert y is None
    return list(zip(X["dialogue__speaker"], X["utterance"], strict=True))


def ids(found):
    return found[0]["dialogue__id"].tolist()


@pytest.fixture
def chat(tmp_path):
    """A function that writes a chat into a file, and returns its path."""

    def write(*lines, name="chat.txt", end="\n"):
        (tmp_path / name).write_bytes(end.join(lines).encode())
        return tmp_path / name

    return write


class TestWhatsApp:
    ANDROID = (
        "12/30/23, 9:15\u202fPM - Messages and calls are end-to-end encrypted. Tap to",
        '12/30/23, 9:15\u202fPM - Anna created group "Trip: Rome"',
        "12/30/23, 9:16\u202fPM - Anna: Where are you?",
        "It is late:",
        "",
        "9 PM",
        "12/30/23, 9:17\u202fPM - \u202a+49 170 1234567\u202c: <Media omitted>",
        "12/30/23, 9:18\u202fPM - Zoë Łuć: IMG-2023.jpg (file attached)",
        "at home 🏠",
        "12/30/23, 9:19\u202fPM - Zoë Łuć: This message was deleted",
        "12/30/23, 9:20\u202fPM - Zoë Łuć: Soon: 10:30 <This message was edited>",
        "12/31/23, 12:05\u202fAM - \u202a+49 170 1234567\u202c: שלום",
        "12/31/23, 12:05\u202fPM - Anna: Good morning!",
    )
    IPHONE = (
        "\u200e[30.12.23, 21:15:08] Trip: \u200eMessages are end-to-end encrypted.",
        "[30.12.23, 21:16:10] Anna: Where are you?",
        "\u200e[30.12.23, 21:17:00] ~\u202fZoë: \u200eimage omitted",
        "[30.12.23, 21:18:00] ~\u202fZoë: On the train \u200e<This message was edited>",
        "[31.12.23, 09:00:00] Anna: Good morning!",
    )

    def test_of_android(self, chat):
        for end in ("\n", "\r\n"):
            found = load_whatsapp(chat(*self.ANDROID, end=end))
            assert spoken(found) == [
                ("Anna", "Where are you?\nIt is late:\n\n9 PM"),
                ("Zoë Łuć", "at home 🏠"),
                ("Zoë Łuć", "Soon: 10:30"),
                ("+49 170 1234567", "שלום"),
                ("Anna", "Good morning!"),
            ]
            assert ids(found) == [*["chat_0"] * 4, "chat_1"]

    def test_of_iphone(self, chat):
        found = load_whatsapp(chat("\ufeff" + self.IPHONE[0], *self.IPHONE[1:]))
        assert spoken(found) == [
            ("Anna", "Where are you?"),
            ("~ Zoë", "On the train"),
            ("Anna", "Good morning!"),
        ]
        assert ids(found) == ["chat_0", "chat_0", "chat_1"]

    @pytest.mark.parametrize(
        ("head", "moment"),
        [
            ("12/31/23, 9:15 PM - ", (2023, 12, 31, 21, 15)),
            ("31/12/23, 9:15 pm - ", (2023, 12, 31, 21, 15)),
            ("31/12/2023, 12:15 a. m. - ", (2023, 12, 31, 0, 15)),
            ("31.12.23, 21:15 - ", (2023, 12, 31, 21, 15)),
            ("01.02.23, 21:15 - ", (2023, 2, 1, 21, 15)),
            ("05/05/23, 21:15 - ", (2023, 5, 5, 21, 15)),
            ("2023-02-01, 21:15 - ", (2023, 2, 1, 21, 15)),
            ("2023/02/01, 21.15 – ", (2023, 2, 1, 21, 15)),
            ("[2/13/24, 9:15:08\u202fAM] ", (2024, 2, 13, 9, 15, 8)),
            ("[13-02-2024 09:15:08] ", (2024, 2, 13, 9, 15, 8)),
            ("\u200f[13\u200f/2\u200f/2024, 9:15:08 AM] ", (2024, 2, 13, 9, 15, 8)),
            ("[١٣/٢/٢٠٢٤, ٩:١٥:٠٨] ", (2024, 2, 13, 9, 15, 8)),
            ("١٣/٢/٢٠٢٤، ٩:١٥ م - ", (2024, 2, 13, 21, 15)),
            ("13/2/2024, 12:15 ص - ", (2024, 2, 13, 0, 15)),
            ("31.12.2023 klo 21.15 - ", (2023, 12, 31, 21, 15)),
            ("2023. 12. 31. 21:15 - ", (2023, 12, 31, 21, 15)),
            ("2023. 12. 31. 오후 9:15 - ", (2023, 12, 31, 21, 15)),
            ("2023/12/31 上午12:15 - ", (2023, 12, 31, 0, 15)),
            ("[2023/12/31 下午9:15:08] ", (2023, 12, 31, 21, 15, 8)),
            ("31/12/23, 9:15 μ.μ. - ", (2023, 12, 31, 21, 15)),
        ],
    )
    def test_dates(self, chat, head, moment):
        X, _ = load_whatsapp(chat(f"{head}Anna: Hm."))
        expected = (datetime(*moment) - datetime(1970, 1, 1)).total_seconds()
        assert X["timestamp"].tolist() == [expected]

    @pytest.mark.parametrize("form", ["31/12/23, 21:{} - ", "[31/12/23, 21:{}:00] "])
    def test_messages_of_another_chat_may_be_pasted_into_one(self, chat, form):
        other = {"3": "[12/31/23, 9:00:00 PM] ", "[": "12/31/23, 9:00 PM - "}[form[0]]
        pasted = f"{other}Cy: I am ill."
        lines = f"{form.format(15)}Anna: Look:", pasted, f"{form.format(16)}Ben: Oh."
        assert spoken(load_whatsapp(chat(*lines))) == [
            ("Anna", f"Look:\n{pasted}"),
            ("Ben", "Oh."),
        ]

    @pytest.mark.parametrize(
        "text",
        [
            "Diese Nachricht wurde gelöscht.",
            "Eliminaste este mensaje.",
            "Ce message a été supprimé",
            "Mensagem apagada",
            "Dit bericht is verwijderd",
            "IMG-20231231-WA0001.jpg (на файл прикреплён)",
            "\u200eSTK-20231231-WA0012.webp (Datei angehängt)",
            "Rechnung Nr. 7.pdf (Datei angehängt)",
        ],
    )
    def test_what_the_program_says_in_other_languages(self, chat, text):
        lines = [
            f"31.12.23, 21:15 - Anna: {said}" for said in (text, "Hm.", f"{text} x")
        ]
        assert [said for _, said in spoken(load_whatsapp(chat(*lines)))] == [
            "Hm.",
            f"{text} x".strip("\u200e"),
        ]

    def test_the_whole_file_tells_what_is_the_day(self, chat):
        lines = [f"{date}/23, 9:15 - Anna: Hm." for date in ("1/2", "3/4", "5/13")]
        X, _ = load_whatsapp(chat(*lines))
        months = pd.to_datetime(X["timestamp"], unit="s").dt.month
        assert months.tolist() == [1, 3, 5]
        X, _ = load_whatsapp(chat(*lines[:2], "13/5/23, 9:15 - Anna: Hm."))
        assert ids((X, None)) == ["chat_0", "chat_1", "chat_2"]

    def test_days_do_not_go_backwards(self, chat):
        lines = [f"{date}/23, 9:15 - Anna: Hm." for date in ("1/2", "2/2", "1/3")]
        X, _ = load_whatsapp(chat(*lines))
        assert X["timestamp"].is_monotonic_increasing
        assert X["timestamp"].diff()[1] == 86400

    @pytest.mark.parametrize("day_first", [None, True])
    def test_a_pasted_date_of_another_order_is_refused(self, chat, day_first):
        lines = [
            "31/12/23, 21:15 - Anna: Where are you?",
            "2023/12/01 10:00 - server: down",
            "31/12/23, 21:16 - Ben: On the train",
        ]
        with pytest.raises(ValueError, match="line 2 begins with the year and line 1"):
            load_whatsapp(chat(*lines), day_first=day_first)

    def test_what_is_the_day_may_be_unclear(self, chat):
        path = chat(*[f"{date}/23, 9:15 - Anna: Hm." for date in ("1/2", "3/4")])
        with pytest.raises(ValueError, match=r"1/2/23 in line 1\. Say it: day_first="):
            load_whatsapp(path)
        first, _ = load_whatsapp(path, day_first=True)
        second, _ = load_whatsapp(path, day_first=False)
        assert (first["timestamp"] - second["timestamp"]).gt(0).all()

    def test_dates_that_disagree(self, chat):
        path = chat("1/13/23, 9:15 - A: Hm.", "13/1/23, 9:15 - A: Hm.")
        with pytest.raises(ValueError, match="line 2 begins with the day and line 1"):
            load_whatsapp(path)
        with pytest.raises(ValueError, match="date and time in line 2 are none"):
            load_whatsapp(path, day_first=False)

    @pytest.mark.parametrize(
        "head", ["31.02.23, 9:15 - ", "01.02.23, 25:15 - ", "01.02.23, 13:15 PM - "]
    )
    def test_dates_that_are_none(self, chat, head):
        path = chat("01.02.23, 9:15 - A: Hm.", f"{head}A: Hm.")
        with pytest.raises(ValueError, match=r"chat\.txt: the date and time in line 2"):
            load_whatsapp(path)

    def test_what_is_no_chat(self, chat):
        with pytest.raises(ValueError, match=r"chat\.txt: line 2 is 'Dear Anna'"):
            load_whatsapp(chat("", "Dear Anna", *self.ANDROID))
        with pytest.raises(ValueError, match=r"chat\.txt has no message of a person"):
            load_whatsapp(chat(*self.ANDROID[:2]))

    def test_names_with_quotes_are_names(self, chat):
        path = chat('31.12.23, 9:15 - Ann "Nick" Lee: "Hm: so"')
        assert spoken(load_whatsapp(path)) == [('Ann "Nick" Lee', '"Hm: so"')]

    @pytest.mark.parametrize(
        ("pause", "expected"),
        [
            ("6h", ["chat_0", "chat_0", "chat_1"]),
            ("1min", ["chat_0", "chat_1", "chat_2"]),
            (timedelta(days=1), ["chat_0"] * 3),
            (None, ["chat"] * 3),
        ],
    )
    def test_pauses(self, chat, pause, expected):
        path = chat(*self.IPHONE)
        assert ids(load_whatsapp(path, new_dialogue_after=pause)) == expected

    @pytest.mark.parametrize("pause", ["soon", "-1h", "0s", "NaT"])
    def test_pauses_that_are_none(self, chat, pause):
        with pytest.raises(ValueError, match=r"new_dialogue_after="):
            load_whatsapp(chat(*self.IPHONE), new_dialogue_after=pause)

    def test_several_chats(self, chat, tmp_path):
        (tmp_path / "b").mkdir()
        paths = [chat(*self.IPHONE), tmp_path / "b" / "chat.txt"]
        paths[1].write_bytes(paths[0].read_bytes())
        found = load_whatsapp(paths, new_dialogue_after=None)
        assert list(dict.fromkeys(ids(found))) == list(map(str, paths))


def slack(folder, channels, users=None):
    """Write an export of Slack: dict of channel to dict of day to messages."""
    for channel, days in channels.items():
        (folder / channel).mkdir()
        for day, messages in days.items():
            file = folder / channel / f"{day}.json"
            file.write_text(json.dumps(messages), encoding="utf-8")
    if users is not None:
        (folder / "users.json").write_text(json.dumps(users), encoding="utf-8")
    return folder


def message(text, ts, user="U1", **others):
    return {"type": "message", "user": user, "text": text, "ts": ts} | others


class TestSlack:
    USERS = (
        {"id": "U1", "name": "anna", "profile": {"display_name": "Anna 🙂"}},
        {
            "id": "U2",
            "name": "ben",
            "profile": {"display_name": "", "real_name": "Ben"},
        },
        {"id": "U3", "name": "ben3", "real_name": "Ben"},
    )

    def test_names_mentions_and_signs(self, tmp_path):
        text = (
            "<@U1> &amp; <@U9|zoë>: <#C1|general> <https://a.org|here> <!channel> &lt;3"
        )
        days = {
            "2023-12-31": [message(text, "10.0", "U2"), message("Hm", "11.0", "U3")]
        }
        found = load_slack(slack(tmp_path, {"general": days}, self.USERS))
        assert spoken(found) == [
            ("Ben (U2)", "@Anna 🙂 & @zoë: #general here @channel <3"),
            ("Ben (U3)", "Hm"),
        ]
        assert ids(found) == ["general_0"] * 2

    def test_what_people_have_not_written_is_left_out(self, tmp_path):
        said = [
            message("<@U1> has joined the channel", "10.0", subtype="channel_join"),
            message("<@U1> has left", "11.0", subtype="channel_leave"),
            message("", "12.0", files=[{"id": "F1"}]),
            message("Deploy done", "13.0", bot_id="B1"),
            message("Build", "14.0", None, subtype="bot_message", username="ci"),
            {"type": "other", "ts": "15.0"},
            message("a picture", "16.0", subtype="file_share"),
        ]
        folder = slack(tmp_path, {"general": {"2023-12-31": said}})
        assert spoken(load_slack(folder)) == [("U1", "a picture")]
        assert spoken(load_slack(folder, bots=True))[1] == ("ci", "Build")

    DAYS = {
        "2023-12-31": [
            message("Who comes?", "1000.0001", thread_ts="1000.0001"),
            message("It rains.", "1001.0", "U2"),
            message("Not here.", "900.5", "U2"),
        ],
        "2024-01-01": [message("I do.", "90000.0", "U2", thread_ts="1000.0001")],
    }

    def test_threads_are_dialogues(self, tmp_path):
        folder = slack(tmp_path, {"general": self.DAYS, "random": self.DAYS})
        X, y = load_slack(folder, channels=["general"])
        assert spoken((X, y)) == [
            ("U2", "Not here."), ("U2", "It rains."),
            ("U1", "Who comes?"), ("U2", "I do."),
        ]  # fmt: skip
        assert X["dialogue__id"].tolist() == [
            "general_0", "general_0",
            "general_thread_1000.0001", "general_thread_1000.0001",
        ]  # fmt: skip
        assert X["timestamp"].tolist() == [900.5, 1001, 1000.0001, 90000]
        X, _ = load_slack(folder, threads=False)
        assert X["dialogue__id"].unique().tolist() == [
            "general_0", "general_1", "random_0", "random_1",
        ]  # fmt: skip
        found = load_slack(folder, threads=False, new_dialogue_after=None)
        assert ids(found) == ["general"] * 4 + ["random"] * 4

    def test_one_channel_is_read_with_the_names_beside_it(self, tmp_path):
        slack(tmp_path, {"general": self.DAYS}, self.USERS)
        assert spoken(load_slack(tmp_path / "general"))[0] == ("Ben (U2)", "Not here.")

    def test_folders_that_are_none(self, tmp_path):
        with pytest.raises(FileNotFoundError, match="no folder with files such as"):
            load_slack(tmp_path)
        with pytest.raises(FileNotFoundError, match="There is no folder"):
            load_slack(tmp_path / "export")
        slack(tmp_path, {"general": self.DAYS})
        with pytest.raises(FileNotFoundError, match="no folder 'randon' of a channel"):
            load_slack(tmp_path, channels=["randon"])
        (tmp_path / "export.zip").write_bytes(b"PK")
        with pytest.raises(NotADirectoryError, match="unpacked"):
            load_slack(tmp_path / "export.zip")

    @pytest.mark.parametrize(
        ("wrong", "told"),
        [
            (3, "is no message with 'ts'"),
            (message("a", 5), "'ts' is 5"),
            (message("a", "1e5"), "'ts' is '1e5'"),
            (message(["a"], "5.0"), "'text' is"),
            (message("a", "5.0", ["U1"]), "'user' is"),
            (message("a", "5.0", thread_ts=[]), "'thread_ts' is"),
        ],
    )
    def test_messages_that_are_none(self, tmp_path, wrong, told):
        folder = slack(
            tmp_path, {"general": {"2023-12-31": [message("a", "1.0"), wrong]}}
        )
        with pytest.raises(ValueError, match=rf"2023-12-31\.json, message 1.*{told}"):
            load_slack(folder)

    def test_a_long_name_is_not_written_again_and_again(self, tmp_path):
        users = [{"id": "U1", "name": "n" * 10**6}]
        said = [message("<@U1>" * 1000, "1.0")]
        folder = slack(tmp_path, {"general": {"2023-12-31": said}}, users)
        with pytest.raises(ValueError, match="A mention of a long name asks for"):
            load_slack(folder)
        said = [message("Hm", f"{n}.0") for n in range(1000)]
        (folder / "general" / "2023-12-31.json").write_text(json.dumps(said))
        with pytest.raises(ValueError, match="of 1000 rows, with their names, asks"):
            load_slack(folder)


class TestTelegram:
    SAID = (
        {"type": "service", "action": "phone_call", "date_unixtime": "5", "text": ""},
        {"type": "message", "from": "Zoë", "date_unixtime": "10", "text": [
            "Hm, ", {"type": "bold", "text": "so"}, "?"]},
        {"type": "message", "from": None, "from_id": "user7", "text": "نعم",
         "date": "1970-01-01T00:00:20"},
        {"type": "message", "from": "Zoë", "date_unixtime": "11", "text": "",
         "media_type": "sticker"},
        {"type": "message", "from": "Zoë", "date_unixtime": "90000", "text": "🎉"},
    )  # fmt: skip

    def test_of_one_chat(self, chat):
        content = {"name": "Ben", "type": "personal_chat", "messages": self.SAID}
        found = load_telegram(chat(json.dumps(content), name="result.json"))
        assert spoken(found) == [("Zoë", "Hm, so?"), ("user7", "نعم"), ("Zoë", "🎉")]
        assert ids(found) == ["result_0", "result_0", "result_1"]
        assert found[0]["timestamp"].tolist() == [10, 20, 90000]

    def test_of_all_chats(self, chat):
        chats = [{"id": 7, "messages": self.SAID}, {"id": 8, "messages": []},
                 {"messages": self.SAID}]  # fmt: skip
        path = chat(json.dumps({"chats": {"list": chats}}), name="result.json")
        found = load_telegram(path, new_dialogue_after=None)
        assert ids(found) == ["result_7"] * 3 + ["result_2"] * 3

    @pytest.mark.parametrize(
        "content",
        [
            3, [], {}, {"messages": 3}, {"messages": []}, {"messages": [3]},
            {"chats": {"list": [3]}},
            {"messages": [{"type": "message", "text": "a"}]},
            {"messages": [{"type": "message", "text": "a", "date": "soon"}]},
            {"messages": [{"type": "message", "text": [3], "date_unixtime": "1"}]},
            {"messages": [
                {"type": "message", "text": "a", "date_unixtime": "1", "from": []}
            ]},
        ],
    )  # fmt: skip
    def test_of_another_kind(self, chat, content):
        with pytest.raises(ValueError, match=r"result\.json"):
            load_telegram(chat(json.dumps(content), name="result.json"))


class TestConvoKit:
    """As the page "Data format" of its documentation says, and as it once was."""

    UTTERANCES = (
        {"id": "L2", "speaker": "u1", "conversation_id": "L1", "text": "I know.",
         "reply-to": "L1", "timestamp": None, "meta": {"emotion": "joy"}},
        {"id": "L1", "speaker": "u0", "conversation_id": "L1", "text": "Late!",
         "reply-to": None, "timestamp": None, "meta": {"emotion": None}, "vectors": []},
        {"id": "L3", "speaker": "u0", "conversation_id": "L3", "text": "Zoë?",
         "reply-to": None, "timestamp": 7, "meta": {}, "vectors": []},
    )  # fmt: skip
    SPEAKERS = {
        "u0": {"meta": {"character_name": "ANNA"}, "vectors": []},
        "u1": {"meta": {"character_name": "BEN"}, "vectors": []},
    }

    def write(self, folder, utterances, speakers, name="speakers.json"):
        lines = "\n".join(map(json.dumps, utterances))
        (folder / "utterances.jsonl").write_text(lines + "\n", encoding="utf-8")
        (folder / name).write_text(json.dumps(speakers), encoding="utf-8")
        for other in ("conversations", "corpus", "index"):
            (folder / f"{other}.json").write_text("{}")
        return folder

    def test_of_today(self, tmp_path):
        folder = self.write(tmp_path, self.UTTERANCES, self.SPEAKERS)
        X, y = load_convokit(folder, label="emotion", columns=["id"])
        assert X["dialogue__id"].tolist() == ["L1", "L1", "L3"]
        assert X["dialogue__turn"].tolist() == [1, 0, 0]
        assert X["dialogue__speaker"].tolist() == ["u1", "u0", "u0"]
        assert X["utterance"].tolist() == ["I know.", "Late!", "Zoë?"]
        assert X["id"].tolist() == ["L2", "L1", "L3"]
        assert y.tolist() == ["joy", None, None]

    def test_is_what_to_frame_reads(self, tmp_path):
        folder = self.write(tmp_path, self.UTTERANCES, self.SPEAKERS)
        X, y = load_convokit(folder, label="emotion")
        X_read, y_read = to_frame(folder / "utterances.jsonl", label="emotion")
        assert X.equals(X_read)
        assert y.tolist() == y_read.tolist()

    def test_of_early_versions(self, tmp_path):
        old = {"conversation_id": "root", "speaker": "user"}
        utterances = [
            {old.get(key, key): value for key, value in one.items()}
            for one in self.UTTERANCES
        ]
        speakers = {key: about["meta"] for key, about in self.SPEAKERS.items()}
        folder = self.write(tmp_path, utterances, speakers, "users.json")
        X, _ = load_convokit(folder, speaker_name="character_name")
        assert X["dialogue__speaker"].tolist() == ["BEN", "ANNA", "ANNA"]
        assert X["dialogue__turn"].tolist() == [1, 0, 0]

    def test_two_of_one_name(self, tmp_path):
        people = {key: {"meta": {"name": "Ann"}} for key in ("u0", "u1")}
        folder = self.write(tmp_path, self.UTTERANCES, people)
        X, _ = load_convokit(folder, speaker_name="name")
        assert X["dialogue__speaker"].tolist() == ["Ann (u1)", "Ann (u0)", "Ann (u0)"]

    def test_refusals(self, tmp_path):
        with pytest.raises(FileNotFoundError, match="does not exist"):
            load_convokit(tmp_path / "films")
        with pytest.raises(FileNotFoundError, match=r"no file .*utterances\.jsonl"):
            load_convokit(tmp_path)
        folder = self.write(tmp_path, self.UTTERANCES, self.SPEAKERS)
        with pytest.raises(NotADirectoryError, match="is a file; give the folder"):
            load_convokit(folder / "utterances.jsonl")
        with pytest.raises(ValueError, match=r"has 'name'; known are 'character_name'"):
            load_convokit(folder, speaker_name="name")
        with pytest.raises(
            ValueError, match=r"utterances\.jsonl: No utterance has the"
        ):
            load_convokit(folder, label="mood")
        self.write(tmp_path, [*self.UTTERANCES, 3], {})
        with pytest.raises(
            ValueError, match=r"utterances\.jsonl: line 4 is no utteran"
        ):
            load_convokit(folder)


def test_nothing_warns_of_good_chats(chat):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        load_whatsapp(chat(*TestWhatsApp.ANDROID))


class TestArchives:
    """What programs export as zip archives is read as it is downloaded."""

    def test_of_slack(self, tmp_path):
        users = [{"id": "U1", "name": "anna"}]
        days = {"2023-12-31": [message("Hm.", "5.0")]}
        folder = tmp_path / "all" / "export"
        folder.mkdir(parents=True)
        slack(folder, {"general": days, "random": days}, users)
        expected = load_slack(folder)[0]
        for base in (folder, folder.parent):  # with a folder around all, or without
            shutil.make_archive(tmp_path / "a", "zip", base)
            pd.testing.assert_frame_equal(load_slack(tmp_path / "a.zip")[0], expected)
        found = load_slack(tmp_path / "a.zip", channels=["random"])
        assert spoken(found) == [("anna", "Hm.")]

    def test_of_whatsapp_with_what_was_sent(self, tmp_path):
        path = tmp_path / "WhatsApp Chat - Anna.zip"
        with zipfile.ZipFile(path, "w") as file:
            file.writestr("_chat.txt", "\n".join(TestWhatsApp.IPHONE))
            file.writestr("notes.txt", "what Anna has sent")
            file.writestr("00000001-PHOTO.jpg", b"\xff\xd8")
            file.writestr("__MACOSX/._chat.txt", b"\0")
        found = load_whatsapp(path)
        assert ("Anna", "Where are you?") in spoken(found)
        assert ids(found)[0] == "WhatsApp Chat - Anna_0"

    def test_of_telegram(self, tmp_path):
        content = {"name": "Ben", "messages": TestTelegram.SAID}
        path = tmp_path / "ben.zip"
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
            file.writestr("ChatExport_2024-01-01/result.json", json.dumps(content))
            file.writestr("ChatExport_2024-01-01/css/style.css", "")
        assert ids(load_telegram(path)) == ["ben_0", "ben_0", "ben_1"]

    @pytest.mark.slow
    @pytest.mark.parametrize(
        ("forge", "told"),
        [
            (lambda file: file.writestr("a.png", b""), "holds no file that ends in"),
            (
                lambda file: file.writestr("a.txt", " " * 10**8),
                "a.txt, which is packed",
            ),
            (lambda file: file.writestr("a/" * 50 + "a.txt", ""), "more than 20"),
            (lambda file: file.writestr("a.txt", "", zipfile.ZIP_LZMA), "unusual way"),
            (lambda file: file.writestr("../../a.txt", b"?"), "begins with a date"),
        ],
    )
    def test_hostile_ones_are_refused(self, tmp_path, forge, told):
        path = tmp_path / "a.zip"
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
            forge(file)
        with pytest.raises(ValueError, match=told):
            load_whatsapp(path)

    def test_damaged_ones_are_refused(self, tmp_path):
        path = tmp_path / "a.zip"
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
            file.writestr("a.txt", "1/1/20, 1:10 PM - a: b\n" * 9)
        data = path.read_bytes()
        size = data.index(b"PK\1\2") + 24
        forged = data[:size] + b"\xff\xff\xff\x7f" + data[size + 4 :]
        for content in (data[:60], data[:40] + b"\0" + data[41:], forged):
            path.write_bytes(content)
            with pytest.raises(ValueError, match=r"a\.zip"):
                load_whatsapp(path, day_first=True)
