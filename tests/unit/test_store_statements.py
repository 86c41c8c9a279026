import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.command_line.errors import Misuse
from pipeline.command_line.sql import single_statement
from pipeline.store.migrate import known_migrations, statements_of


@pytest.mark.parametrize(
    ("text", "statements"),
    [
        ("", []),
        (" ;; -- nothing\n;", []),
        ("SELECT 1", ["SELECT 1"]),
        ("SELECT 1; SELECT 2;", ["SELECT 1", "SELECT 2"]),
        ("SELECT ';' ; SELECT 2", ["SELECT ';'", "SELECT 2"]),
        ("SELECT 'it''s; \\'; ' -- ; no\n, 2", ["SELECT 'it''s; \\'; '  \n, 2"]),
        ('SELECT `a;b`, "c;d" /* ; */', ['SELECT `a;b`, "c;d"']),
        ("SELECT 7/2-1", ["SELECT 7/2-1"]),
        ("SELECT 'open", ["SELECT 'open"]),
    ],
)
def test_statements_are_told_apart(text: str, statements: list[str]) -> None:
    assert list(statements_of(text)) == statements


@given(st.lists(st.sampled_from(["SELECT 1", "'a;b'", '"q;"', "`i;`", "-- c;\n", "/* ; */", " ", "\n", "x - y / 2"])))
def test_semicolons_in_quotes_and_comments_do_not_split(pieces: list[str]) -> None:
    assert len(list(statements_of("SELECT " + " ".join(pieces)))) == 1


@given(st.text("';`\"-/*\\ a\n"))
def test_no_text_is_lost_but_comments_and_separators(text: str) -> None:
    for statement in statements_of(text):
        assert statement.strip()


def test_a_query_is_one_statement() -> None:
    assert single_statement("SELECT 1; -- done\n") == "SELECT 1"
    with pytest.raises(Misuse, match="this is 2"):
        single_statement("SELECT 1; DROP TABLE x")
    with pytest.raises(Misuse, match="is empty"):
        single_statement("-- only a comment")


def test_migrations_have_a_number_each() -> None:
    migrations = known_migrations()
    assert len({migration.version for migration in migrations}) == len(migrations)
    assert all(list(statements_of(migration.text)) for migration in migrations)


def test_every_statement_of_a_migration_can_be_repeated() -> None:
    for migration in known_migrations():
        for statement in statements_of(migration.text):
            assert "IF NOT EXISTS" in statement.partition("\n")[0], statement[:80]
