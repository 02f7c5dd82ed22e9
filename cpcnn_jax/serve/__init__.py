"""The counter as a local page for people and an HTTP endpoint for programs.

Needs Starlette, uvicorn, python-multipart and prometheus_client:
`pip install 'cpcnn_jax[serve]'`. docs/serve.md has the endpoint's schema and limits.
"""
