"""One of the processes that train models together: parallel_worker.py FILE RESULT.

FILE holds pickled estimators and the table that all are fitted on; RESULT gets the
fitted ones and what they answer.
"""

import pickle
import sys
from pathlib import Path

import numpy as np
import torch
from accelerate import Accelerator

from skmerc import DJVAEFuser
from skmerc.frame import drop_keys

if __name__ == "__main__":
    models, table = pickle.loads(Path(sys.argv[1]).read_bytes())
    accelerator = Accelerator(cpu=True)
    assert accelerator.num_processes == 2
    for model in models.values():
        model.set_params(net_params={"accelerator": accelerator}).fit(*table)
    X, answers = table[0], {}
    for name, model in models.items():
        is_fuser = isinstance(model, DJVAEFuser)
        answer = drop_keys(model.transform(X)) if is_fuser else model.predict_proba(X)
        answers[name] = np.asarray(answer)
    Path(sys.argv[2]).write_bytes(pickle.dumps((models, answers)))
    torch.distributed.destroy_process_group()
