"""True and estimated blur kernels: of drawn degradations, and of one blur at several scales."""
