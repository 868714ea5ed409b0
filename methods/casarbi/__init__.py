"""CasArbi: arbitrary-scale super-resolution by self-cascaded residual-shifting diffusion."""
