"""The report of a run: one HTML file that opens by double click, without a network and without a script.

`data.Report` says what stands in it, `page.render` makes the page, `page.write_report` puts it on disk.
"""
