"""No method of a collection that can write passes by the check of the layout."""

from motor.motor_asyncio import AsyncIOMotorCollection

from storage.mongo.writes.checked_database import WRITES, CheckedCollection

READS = {
    "aggregate", "aggregate_raw_batches", "codec_options", "count_documents", "distinct",
    "estimated_document_count", "find", "find_one", "find_raw_batches", "full_name", "get_io_loop",
    "index_information", "list_indexes", "list_search_indexes", "name", "options", "read_concern",
    "read_preference", "watch", "with_options", "wrap", "write_concern",
}  # fmt: skip


def test_every_method_that_can_write_is_checked() -> None:
    methods = {name for name in dir(AsyncIOMotorCollection) if not name.startswith("_")}
    changed = {
        name for name in methods if getattr(CheckedCollection, name) is not getattr(AsyncIOMotorCollection, name)
    }
    assert changed == set(WRITES)
    assert methods - changed == READS
