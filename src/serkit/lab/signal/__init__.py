"""Signal processing that front ends and encoders share: spectra, mel bands, pitch, contours, functionals."""
