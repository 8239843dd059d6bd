"""One of the processes that train models together: parallel_worker.py FILE RESULT.

FILE holds pickled estimators and the table that all are fitted on; RESULT gets the
fitted ones and what they answer.
"""

import pickle
import sys
from pathlib import Path

import torch
from accelerate import Accelerator

if __name__ == "__main__":
    models, table = pickle.loads(Path(sys.argv[1]).read_bytes())
    accelerator = Accelerator(cpu=True)
    assert accelerator.num_processes == 2
    for model in models.values():
        model.set_params(net_params={"accelerator": accelerator}).fit(*table)
    answers = {name: model.predict_proba(table[0]) for name, model in models.items()}
    Path(sys.argv[2]).write_bytes(pickle.dumps((models, answers)))
    torch.distributed.destroy_process_group()
