"""Tables, plots and the page that they are in. Pure but for the writing of files."""
