"""The engine of a process, from its settings: the documents that its clients may run."""

from schema import DocumentRules, Engine, TrustedDocumentsError, build_engine
from settings import Settings, SettingsError
from web.configuration.limits import make_operation_limits
from web.pages.files import find_shop_documents


def make_engine(settings: Settings) -> Engine:
    """Return the engine. Raises SettingsError if a file of documents has problems."""
    rules = DocumentRules(
        persisted_bytes=settings.persisted_documents_bytes,
        allows_introspection=settings.allows_introspection,
        trusted_file=settings.trusted_documents,
        shop_file=find_shop_documents(settings),
        limits=make_operation_limits(settings.limit),
    )
    try:
        return build_engine(rules)
    except TrustedDocumentsError as error:
        named = f"{str(error.path)!r}, and it has problems:\n{error}"
        if error.path == settings.trusted_documents:
            raise SettingsError(f"ONSALE_TRUSTED_DOCUMENTS is {named}") from error
        raise SettingsError(
            f"the pages do not fit this server; `make frontend` builds them again. See {named}"
        ) from error
