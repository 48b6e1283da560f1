_base_ = './dcf_16f.py'
ensemble = dict(members=['../table1_components/full.py', 'dcf_16f.py'])
