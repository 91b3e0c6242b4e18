"""Fill a deployment's database with investors that the service cannot tell from those it admitted itself."""
