"""Every private name of Faust and aiokafka that `streams/worker/faust_{batches,thread}.py` use exists, and is called as we call it.

When a test here fails after an upgrade, read what became of the name before changing the pin: the laws of reading hang on it.
"""

import asyncio
import inspect
from collections.abc import Callable
from importlib.metadata import version
from typing import Any

import faust
import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.consumer.fetcher import Fetcher, FetchError, FetchResult
from aiokafka.consumer.group_coordinator import GroupCoordinator
from aiokafka.consumer.subscription_state import Assignment, Subscription, SubscriptionState, TopicPartitionState
from aiokafka.errors import IllegalStateError, NoOffsetForPartitionError, OffsetOutOfRangeError
from faust.app.base import App
from faust.tables.recovery import Recovery
from faust.transport.consumer import Consumer, ConsumerThread, ThreadDelegateConsumer
from faust.transport.drivers import aiokafka as driver
from faust.transport.utils import DefaultSchedulingStrategy
from faust.types import TP
from mode.threads import ServiceThread

from streams.kafka.records import CarefulRecords, CarefulResult
from streams.worker.batches import Batch
from streams.worker.faust_batches import BatchConsumer, BatchRecord, BatchScheduler, BatchSchema, BatchTransport
from streams.worker.faust_thread import BatchThread


def _source(thing: Callable[..., Any]) -> str:
    return inspect.getsource(thing)


def _parameters(thing: Callable[..., Any]) -> list[str]:
    return list(inspect.signature(thing).parameters)


def test_the_versions_are_the_pinned_ones() -> None:
    """The names below were read in these sources."""
    assert (version("faust-streaming"), version("aiokafka")) == ("0.15.3", "0.14.0")


# ---- Faust's consumer thread ----------------------------------------------------------------------------------------------


def test_the_client_is_made_by_a_method_of_the_thread_and_reads_its_settings_when_it_starts() -> None:
    assert _parameters(driver.AIOKafkaConsumerThread._create_worker_consumer) == ["self", "transport"]
    assert "_create_worker_consumer(transport)" in _source(driver.AIOKafkaConsumerThread._create_consumer)
    start = _source(AIOKafkaConsumer.start)
    for name in ("_isolation_level", "_auto_offset_reset", "_fetch_max_wait_ms"):
        assert f"self.{name}" in start


def test_every_fetch_goes_through_fetch_records_in_the_clients_thread() -> None:
    thread = driver.AIOKafkaConsumerThread
    assert _parameters(thread._fetch_records) == ["self", "consumer", "active_partitions", "timeout", "max_records"]
    getmany = _source(thread.getmany)
    assert "self.call_thread(" in getmany
    assert "self._fetch_records," in getmany
    assert "self._thread.getmany(active_partitions, timeout)" in _source(ThreadDelegateConsumer._getmany)


def test_handing_out_asks_in_for_each_partition_and_takes_an_empty_set_for_all() -> None:
    """Why `_Open` is true even when nothing is fed."""
    assert "if partitions and tp not in partitions:" in _source(Fetcher.fetched_records)


def test_handing_out_and_moving_the_position_happen_in_one_step() -> None:
    """`start` and `next` of a batch are right only if nothing can come between the records and the position."""
    assert not inspect.iscoroutinefunction(FetchResult.getall)
    assert CarefulResult.__base__ is not None
    assert "_update_position()" in _source(CarefulResult.__base__.getall)
    assert not inspect.iscoroutinefunction(CarefulResult.getall)
    assert "consumed_to(" in _source(FetchResult._update_position)
    drained = _source(Fetcher.fetched_records).split("drained = {}")[1].split("return drained\n\n            waiter")[0]
    assert "await" not in drained


def test_positions_move_past_control_records_and_aborted_ones() -> None:
    assert _source(CarefulRecords.__base__._unpack_records).count("self.next_fetch_offset = next_batch.next_offset") == 3


def test_a_wait_for_records_is_woken_as_the_client_wakes_it() -> None:
    assert "for waiter in self._fetch_waiters:" in _source(Fetcher._fetch_requests_routine)
    assert _parameters(Fetcher._notify) == ["self", "future"]
    assert "self._create_fetch_waiter()" in _source(Fetcher.fetched_records)


def test_a_paused_partition_with_a_position_is_not_fetched() -> None:
    actions = _source(Fetcher._get_actions_per_node)
    assert (
        actions.index("elif not tp_state.has_valid_position") < actions.index("elif tp_state.paused:") < actions.index("fetchable[node_id]")
    )


def test_without_a_reset_policy_a_fetch_out_of_range_is_raised_to_whoever_fetches() -> None:
    source = _source(Fetcher._proc_fetch_request)
    assert "OffsetResetStrategy.NONE" in source
    assert "Errors.OffsetOutOfRangeError({tp: fetch_offset})" in source
    with pytest.raises(OffsetOutOfRangeError) as caught:
        FetchError(error=OffsetOutOfRangeError({TopicPartition("t", 0): 5}), backoff=0).check_raise()
    assert caught.value.args[0] == {TopicPartition("t", 0): 5}
    assert issubclass(NoOffsetForPartitionError, Exception)


async def test_a_seek_sets_the_position_at_once_and_drops_what_was_fetched() -> None:
    state = TopicPartitionState(assignment=None)
    assert not state.has_valid_position
    state.seek(7)
    assert (state.has_valid_position, state.position) == (True, 7)
    assert "del self._records[tp]" in _source(Fetcher.seek_to)
    assert "tp_state.position != fetch_offset" in _source(Fetcher._proc_fetch_request)
    assert "self._fetcher.seek_to(partition, offset)" in _source(AIOKafkaConsumer.seek)


async def test_what_is_assigned_can_be_asked_before_during_and_after_an_assignment() -> None:
    """A seek in a partition that is not assigned raises, and what it raises depends on the moment."""
    subscription = SubscriptionState()
    assert subscription.assigned_partitions() == set()
    subscription.subscribe({"t"})
    assert subscription.assigned_partitions() == set()
    subscription.assign_from_subscribed({TopicPartition("t", 1)})
    assert TP("t", 1) in subscription.assigned_partitions()
    assert "self._subscription.assigned_partitions()" in _source(AIOKafkaConsumer.assignment)
    with pytest.raises(IllegalStateError):
        subscription.seek(TopicPartition("t", 0), 0)


def test_the_clients_state_is_where_we_look_for_it() -> None:
    client = _source(AIOKafkaConsumer.__init__) + _source(AIOKafkaConsumer.start)
    for name in ("_subscription", "_fetcher", "_coordinator"):
        assert f"self.{name} = " in client
    assert isinstance(inspect.getattr_static(SubscriptionState, "subscription"), property)
    assert isinstance(inspect.getattr_static(SubscriptionState, "reassignment_in_progress"), property)
    assert isinstance(inspect.getattr_static(Subscription, "assignment"), property)
    assert _parameters(Assignment.state_value) == ["self", "tp"]
    state = _source(TopicPartitionState.__init__)
    assert "self.highwater = " in state
    assert "self.lso = " in state
    coordinator = _source(GroupCoordinator.__init__)
    assert "self.generation = " in coordinator
    assert "self.member_id = " in coordinator


def test_a_heartbeat_asks_the_group_for_one_generation() -> None:
    """What `is_member` relies on: the answer is the coordinator's, and a refusal makes the client join again."""
    source = _source(GroupCoordinator._do_heartbeat)
    assert "HeartbeatRequest(self.group_id, self.generation, self.member_id)" in source
    assert source.count("self.reset_generation()") == 2
    assert "self.request_rejoin()" in source
    assert _parameters(GroupCoordinator.need_rejoin) == ["self", "subscription"]


def test_the_threads_two_loops_have_these_names() -> None:
    source = _source(ServiceThread.__init__)
    assert "self.parent_loop = " in source
    assert "self.thread_loop = " in source
    assert "self._consumer = self._create_consumer(" in _source(driver.AIOKafkaConsumerThread.on_start)
    assert "_ensure_consumer" in dir(driver.AIOKafkaConsumerThread)
    assert "self.transport = self.consumer.transport" in _source(ConsumerThread.__init__)


# ---- Faust's consumer -------------------------------------------------------------------------------------------------------


def test_faust_asks_perform_seek_after_every_resume() -> None:
    for resume in (Recovery._resume_streams, Recovery.on_recovery_completed):
        source = _source(resume)
        assert source.index("consumer.perform_seek()") < source.index("consumer.resume_flow()")
    assert _parameters(Consumer.perform_seek) == ["self"]


def test_the_flow_of_records_can_be_seen() -> None:
    assert "self.flow_active = False" in _source(Consumer.stop_flow)
    assert "self.flow_active = True" in _source(Consumer.resume_flow)


def test_faust_tells_of_rebalances_through_these_two_methods_on_the_main_loop() -> None:
    assert _parameters(Consumer.on_partitions_revoked) == ["self", "revoked"]
    assert _parameters(Consumer.on_partitions_assigned) == ["self", "assigned", "generation_id"]
    assert "self._method_queue.call(" in _source(ThreadDelegateConsumer.threadsafe_partitions_revoked)
    assert "self.on_partitions_revoked," in _source(ThreadDelegateConsumer.threadsafe_partitions_revoked)
    assert "self.on_partitions_assigned," in _source(ThreadDelegateConsumer.threadsafe_partitions_assigned)


def test_a_rebalance_waits_for_acks_only_after_our_part_of_it() -> None:
    """`settle` acks everything first; then `wait_empty` has nothing to wait for."""
    assert "_consumer_wait_empty" in _source(App._on_partitions_revoked)
    assert "self._on_partitions_revoked" in _source(Consumer.on_partitions_revoked)


def test_what_is_committed_is_what_new_offset_says() -> None:
    assert _parameters(Consumer._new_offset) == ["self", "tp"]
    assert "self._new_offset(tp)" in _source(Consumer._filter_committable_offsets)
    init = _source(Consumer.__init__)
    for name in (
        "_acked = defaultdict(list)",
        "_acked_index = defaultdict(set)",
        "_read_offset = defaultdict",
        "_unacked_messages = WeakSet()",
    ):
        assert f"self.{name}" in init


def test_messages_are_dropped_and_gaps_sought_only_by_the_read_offset() -> None:
    """Why `_Unread` says that nothing was read yet."""
    source = _source(Consumer._drain_messages)
    assert "get_read_offset = self._read_offset.__getitem__" in source
    assert "if r_offset is None or offset >= r_offset:" in source
    assert "if gap > 1 and r_offset:" in source


def test_the_thread_and_the_consumer_are_made_where_we_put_ours() -> None:
    assert "self._thread = self._new_consumer_thread()" in _source(ThreadDelegateConsumer.__init__)
    assert "AIOKafkaConsumerThread(self, loop=self.loop, beacon=self.beacon)" in _source(driver.Consumer._new_consumer_thread)
    assert BatchTransport.Consumer is BatchConsumer
    assert issubclass(BatchThread, driver.AIOKafkaConsumerThread)


def test_the_stall_detector_that_cries_wolf_is_silenced() -> None:
    """It holds wall time against monotonic time; ours is `streams.worker.watchdog`."""
    assert "self.verify_event_path(now, tp)" in _source(Consumer.verify_all_partitions_active)
    assert "verify_event_path" in BatchConsumer.__dict__


# ---- scheduler and schema ---------------------------------------------------------------------------------------------------


def _batch(*offsets: int) -> Batch:
    class Record:
        def __init__(self, offset: int) -> None:
            self.offset, self.timestamp = offset, 1_000 + offset

    batch = Batch(Record(offset) for offset in offsets)  # type: ignore[misc]
    batch.partition, batch.start, batch.next, batch.epoch = 3, 5, 9, 1
    return batch


def test_the_scheduler_turns_each_fetch_into_one_message_per_partition() -> None:
    assert _parameters(DefaultSchedulingStrategy.iterate) == ["self", "records"]
    assert "records_it = self.scheduler.iterate(records)" in _source(Consumer.getmany)
    batch, empty = _batch(5, 7), _batch()
    scheduler: Any = BatchScheduler
    got = list(scheduler().iterate({TP("events", 3): batch, TP("events", 4): empty}))
    assert [(tp.partition, record.value, record.offset) for tp, record in got] == [(3, batch, 8), (4, empty, 8)]


async def test_a_batch_passes_for_one_record_with_faust() -> None:
    """`_to_message` reads these attributes, and no others."""
    app = faust.App("contract", autodiscover=False, web_enabled=False)
    app.consumer_generation_id = 4
    consumer = driver.Consumer.__new__(driver.Consumer)
    consumer.app = app
    tp, batch = TP("events", 3), _batch(5, 7)
    message = consumer._to_message(tp, BatchRecord(tp, batch))
    assert (message.offset, message.timestamp, message.tp, message.generation_id) == (8, 1.007, tp, 4)
    schema: Any = BatchSchema()
    assert schema.loads_value(app, message) is batch
    assert schema.loads_key(app, message) is None
    assert consumer._to_message(tp, BatchRecord(tp, _batch())).offset == 8


def test_the_settings_that_we_give_faust_exist() -> None:
    settings = faust.Settings.SETTINGS
    assert {"ConsumerScheduler", "agent_supervisor", "table_standby_replicas", "topic_disable_leader", "broker_max_poll_interval"} <= set(
        settings
    )


def test_asyncio_starts_tasks_from_other_threads_in_the_order_of_the_calls() -> None:
    """Feeding and starving a partition must not overtake each other on their way into the client's thread."""

    async def main() -> list[int]:
        loop, seen = asyncio.get_running_loop(), list[int]()

        async def note(number: int) -> None:
            seen.append(number)

        def send() -> None:
            for number in range(100):
                asyncio.run_coroutine_threadsafe(note(number), loop)

        await asyncio.to_thread(send)
        await asyncio.sleep(0.05)
        return seen

    assert asyncio.run(main()) == list(range(100))
