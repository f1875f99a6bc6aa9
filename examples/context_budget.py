"""Watch a stream's tokens while it runs: a warning at 80 % of the output limit, and an end when it is passed."""

from streamarena.errors import TokenBudgetExceededError
from streamarena.pipeline import BudgetState, token_budget
from streamarena.providers import TextChunk


def warn(limit: str, state: BudgetState) -> None:
    print(f"warning: {state.output_share:.0%} of the {limit} limit used, {state.output_tokens} tokens")


def main() -> None:
    stage = token_budget(max_output_tokens=50, warn_at=0.8, on_warning=warn, stop=True)
    chunks = [TextChunk("forty characters of an endless answer... ")] * 100
    passed = 0
    try:
        for _ in stage.run(chunks[:4]):
            passed += 1
        stage.run(chunks)  # behind a client: `async for chunk in stream | stage`
    except TokenBudgetExceededError as error:
        print(f"{passed} chunks passed before; then: {error}")


if __name__ == "__main__":
    main()
