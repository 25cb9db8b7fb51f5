"""Lines are measured in columns."""

from gastric_keras.support.text import wrap


def test_a_chinese_letter_takes_two_columns() -> None:
    assert wrap("良性胃炎", 4) == ["良性", "胃炎"]
    assert wrap("case 良性 of 12", 10) == ["case 良性", "of 12"]
    assert wrap("well differentiated", 16) == ["well", "differentiated"]
    assert wrap("differentiated", 12, break_long_words=False) == ["differentiated"]
