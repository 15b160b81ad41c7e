"""The lab: real HAProxy versions, Docker engines, a web service, load that counts exactly; demo and bench use it."""
