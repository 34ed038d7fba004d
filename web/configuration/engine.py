"""The engine of a process, from its settings: the documents that its clients may run."""

import logging
from dataclasses import replace

from schema import DocumentRules, Engine, TrustedDocumentsError, build_engine
from settings import Settings, SettingsError
from web.configuration.limits import make_operation_limits
from web.pages.files import find_shop_documents

logger = logging.getLogger(__name__)


def make_engine(settings: Settings) -> Engine:
    """Return the engine. Raises SettingsError if a file of documents has problems.

    In development, the documents of the shop are left out if they have problems: the pages may have
    been built for an earlier schema, and will be built again.
    """
    rules = DocumentRules(
        persisted_bytes=settings.persisted_documents_bytes,
        allows_introspection=settings.allows_introspection,
        trusted_file=settings.trusted_documents,
        shop_file=find_shop_documents(),
        limits=make_operation_limits(settings.limit),
    )
    try:
        return build_engine(rules)
    except TrustedDocumentsError as error:
        named = f"{str(error.path)!r}, and it has problems:\n{error}"
        if error.path == settings.trusted_documents:
            raise SettingsError(f"ONSALE_TRUSTED_DOCUMENTS is {named}") from error
        problem = f"the pages do not fit this server; `make frontend` builds them again. See {named}"
        if settings.is_production or settings.trusted_documents is not None:
            raise SettingsError(problem) from error
        logger.warning(problem)
        return build_engine(replace(rules, shop_file=None))
