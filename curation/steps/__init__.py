"""The steps of the journey, over the whole ledger: rows in and videos fetched, windows measured, clips published."""
