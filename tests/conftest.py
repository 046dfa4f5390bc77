"""One thread a test process: small networks are slower with more, and rounding then depends on nothing."""

import torch

torch.set_num_threads(1)
