"""What the commands share: logging, and a sentence in place of a traceback."""

import logging
import sys
from collections.abc import Callable
from typing import NoReturn

from redis.exceptions import RedisError
from sqlalchemy.exc import SQLAlchemyError

from app.settings import NotConfiguredError, Settings
from app.store import reason


def run(name: str, work: Callable[[Settings], None]) -> NoReturn:
    """Do the work with the settings of the environment, and exit: 0 when it went well, 1 with a sentence when not."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    try:
        work(Settings.from_environment())
    except NotConfiguredError as error:
        sys.exit(f"app {name}: {error}")
    except SQLAlchemyError as error:
        sys.exit(f"app {name}: the database refused: {reason(error)}")
    except RedisError as error:
        sys.exit(f"app {name}: Redis did not answer: {error}")
    sys.exit(0)
