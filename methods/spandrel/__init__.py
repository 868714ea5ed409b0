"""Any fixed-scale checkpoint that spandrel loads, brought to the exact size by MATLAB's bicubic."""
