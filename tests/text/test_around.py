from dmdoc.text.around import are_headings, around, is_heading


def test_a_heading_is_a_short_line_that_says_nothing_of_its_own() -> None:
    assert all(map(is_heading, ["# Rules", "The survey of Lund", "Fares"]))
    assert not any(
        map(is_heading, ["It is late.", "- Adults", "Rent: 420", "Lund | 8:30", "owner .... Lund", "a\nb"])
    )


def test_what_stands_under_a_heading_speaks_of_it() -> None:
    assert around(["Ferry", "It is late.", "Fares", "Adults pay 6 euros."]) == ["", "Ferry", "", "Fares"]


def test_the_only_heading_of_a_text_tells_no_statement_from_another() -> None:
    assert around(["Ferry", "Adults pay 6 euros.", "Dogs pay nothing."]) == ["", "", ""]


def test_a_pronoun_points_at_the_last_statement_without_one() -> None:
    first, *others = (
        "The hall was opened in 1894.",
        "Simon Lund designed it.",
        "It has 311 seats.",
        "The pool is new.",
    )
    assert around([first, *others]) == ["", first, first, ""]


def test_a_possessive_behind_its_own_name_does_not() -> None:
    assert around(["Lund is old.", "Ostrand has its seat in Lund."]) == ["", ""]
    assert around(["Lund is old.", "Its port is new."]) == ["", "Lund is old."]


def test_a_number_may_stand_before_a_heading_but_not_before_items() -> None:
    assert are_headings(["1. Boats", "The club has two.", "2. Money", "There is none."]) == [
        True,
        False,
        True,
        False,
    ]
    assert are_headings(["1. Boats", "2. Money"]) == [False, False]
    assert are_headings(["300 g flour", "2 eggs", "Knead it."]) == [False, False, False]
    assert are_headings(["MINUTES OF THE COMMITTEE OF THE ROWING CLUB OF OSTRAND"]) == [True]
