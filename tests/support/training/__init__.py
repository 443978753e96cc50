"""Train at toy sizes, and write data sets as users do."""
