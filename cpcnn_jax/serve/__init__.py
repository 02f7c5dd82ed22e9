"""Web page and HTTP endpoint that count people in images.

Needs `pip install 'cpcnn_jax[serve]'`. docs/serve.md describes the endpoint.
"""
