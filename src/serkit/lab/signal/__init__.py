"""Signal processing that front ends are made of: spectra, mel bands, contours, functionals."""
