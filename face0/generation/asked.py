"""What was asked of a job, read back from its output."""

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from face0.errors import UsageError
from face0.generation.plan import request_files, request_task
from face0.generation.results import Results
from schemas.failures import Reason


def read_asked(renders: Results, columns: list[str]) -> pa.Table:
    """Reads the requests of the committed tasks of an output of generate, rendered or failed, but for forgotten ones.

    Args:
        renders: the output folder.
        columns: of REQUESTS.

    Raises:
        UsageError: the folder has none.
    """
    tables = []
    for name in request_files(renders.folder):
        with renders.folder.open(name) as file:
            parquet = pq.ParquetFile(file)
            for i in range(parquet.num_row_groups):
                if request_task(name, i).task_id in renders.tasks:
                    table = parquet.read_row_group(i, columns=[*columns, "reason"]).replace_schema_metadata()
                    forgotten = pc.equal(pc.fill_null(table["reason"], ""), str(Reason.FORGOTTEN))
                    tables.append(table.filter(pc.invert(forgotten)).select(columns))
    if not tables:
        raise UsageError(f"{renders.uri} has no requests/ of its tasks: give the whole --output of face0 generate")
    return pa.concat_tables(tables)
