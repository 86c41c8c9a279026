"""An exchange becomes an event that holds nothing of its texts."""

from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.edge import call_of_exchange
from pipeline.event import ApiCall, Rejected, encode
from pipeline.sources.fingerprint import prompt_hash, prompt_simhash

OPENAI = {
    "model": "gpt-4o",
    "messages": [
        {"role": "system", "content": "be brief"},
        {"role": "user", "content": "an earlier secret"},
        {"role": "assistant", "content": "an answer"},
        {"role": "user", "content": [{"type": "text", "text": "the last secret"}]},
    ],
    "temperature": 0.7,
    "top_p": 0.9,
    "n": 2,
    "max_completion_tokens": 512,
    "logprobs": True,
    "tools": [{"type": "function"}],
    "stream": False,
}
USAGE = {
    "prompt_tokens": 100,
    "completion_tokens": 50,
    "prompt_tokens_details": {"cached_tokens": 64},
    "completion_tokens_details": {"reasoning_tokens": 32},
}


def test_a_chat_completion():
    call = call_of_exchange(
        OPENAI,
        {"usage": USAGE, "choices": [{"message": {"content": "a secret answer"}}]},
        {"account_id": "a", "event_id": "e", "ts": 1_733_130_847_000, "status": 200, "latency_ms": 12.5},
    )
    assert call == ApiCall(
        event_id="e",
        ts=1_733_130_847_000,
        account_id="a",
        model="gpt-4o",
        stream=False,
        n=2,
        temperature=0.7,
        top_p=0.9,
        max_tokens=512,
        logprobs=True,
        tools=1,
        input_tokens=100,
        output_tokens=50,
        cached_input_tokens=64,
        reasoning_tokens=32,
        status=200,
        latency_ms=12.5,
        prompt_hash=prompt_hash("the last secret"),
        prompt_simhash=prompt_simhash("the last secret"),
        system_prompt_hash=prompt_hash("be brief"),
    )
    assert b"secret" not in encode(call)


def test_messages_and_responses_apis():
    usage = {"input_tokens": 10, "cache_read_input_tokens": 90, "cache_creation_input_tokens": 5, "output_tokens": 7}
    request = {
        "system": [{"type": "text", "text": "s"}],
        "messages": [{"role": "user", "content": "p"}],
        "max_tokens": 9,
    }
    call = call_of_exchange(request, {"usage": usage}, {"account_id": "a"})
    assert (call.input_tokens, call.cached_input_tokens, call.output_tokens, call.max_tokens) == (105, 90, 7, 9)
    assert (call.prompt_hash, call.system_prompt_hash) == (prompt_hash("p"), prompt_hash("s"))
    usage = {"input_tokens": 10, "input_tokens_details": {"cached_tokens": 3}, "output_tokens": 7}
    call = call_of_exchange({"instructions": "s", "input": "p"}, {"usage": usage}, {"account_id": "a"})
    assert (call.input_tokens, call.cached_input_tokens) == (10, 3)
    assert (call.prompt_hash, call.system_prompt_hash) == (prompt_hash("p"), prompt_hash("s"))


def test_parameters_that_do_not_fit_are_no_way_not_to_be_counted():
    call = call_of_exchange({**OPENAI, "temperature": -1, "model": "m" * 999}, {"usage": USAGE}, {"account_id": "a"})
    assert (call.temperature, call.model) == (None, None)
    assert (call.output_tokens, call.prompt_hash) == (50, prompt_hash("the last secret"))


def test_without_an_account_it_is_no_event():
    call = call_of_exchange(OPENAI, None, {})
    assert isinstance(call, Rejected)
    assert (call.reason, call.raw) == ("missing_field", b"")


def test_it_started_before_it_took_its_time():
    slow = call_of_exchange({}, None, {"account_id": "a", "latency_ms": 30_000})
    quick = call_of_exchange({}, None, {"account_id": "a"})
    assert 29_000 < quick.ts - slow.ts < 40_000
    assert slow.event_id != quick.event_id


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
NAMES = ["messages", "input", "prompt", "system", "model", "stream", "n", "max_tokens", "tools", "top_p", "logprobs"]
COUNTS = ["prompt_tokens", "input_tokens", "cache_read_input_tokens", "prompt_tokens_details", "output_tokens"]


@settings(max_examples=40)
@given(
    st.dictionaries(st.sampled_from(NAMES), JSON),
    st.fixed_dictionaries({"usage": st.dictionaries(st.sampled_from(COUNTS), JSON) | JSON}),
)
def test_whatever_a_caller_sends_is_counted(request, response):
    assert isinstance(call_of_exchange(request, response, {"account_id": "a"}), ApiCall)
