"""CasSR: image activation and multiple attention over a latent diffusion model."""
