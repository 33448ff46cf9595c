"""Thin fronts of `sojourn.verify` for web frameworks, with the same words in each.

`auth` is the outcome of the request: SignedIn, or SignedOut with its reason. `auth_required(...)` lets in who
is signed in and has the role, permission, organization or fresh factor asked for. Every front takes any
`sojourn.verify.Authenticator`: a `Verifier`, or the service in the same process (`Sojourn.authenticator`).
"""
